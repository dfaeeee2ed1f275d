// Replays recorded trials: what is ticked is looked up among them, and nothing is run.
(() => {
  const form = document.getElementById("kit-explorer");
  const shown = document.getElementById("kit-explorer-result");
  const { results, pages } = window.KIT_EXPLORER;
  let predictions = 0, held = 0;

  const keyOf = (boxes, attempt, selection, way) => [boxes.join("+"), attempt, selection, way].join(" ");

  // By hand the script is not run, so its variable changes nothing; without its variable the script only starts pytest.
  // Such a trial ends as its twin does, and the notebook "What caused what?" asks a sample whether that is so.
  const twinOf = (boxes, attempt, selection) =>
    keyOf(boxes.filter((name) => name !== "ci_variable"), attempt, selection, "by_hand");

  const recorded = (boxes, attempt, selection, way) => {
    const exact = results[keyOf(boxes, attempt, selection, way)];
    if (exact) return { ...exact, note: "" };
    const connected = way === "ci" && boxes.includes("ci_variable");
    const twin = connected ? undefined : results[twinOf(boxes, attempt, selection)];
    return twin && { ...twin, note: "One switch is connected to nothing here. What you see is the trial without it." };
  };

  const show = () => {
    const boxes = [...form.querySelectorAll("input[name=box]:checked")].map((one) => one.value).sort();
    const chosen = (name) => form.querySelector(`[name=${name}]:checked`).value;
    const found = recorded(boxes, form.attempt.value, chosen("selection"), chosen("way"));
    if (!found) {
      shown.innerHTML = "<p>This run has no trial of that. The board in JupyterLab runs it.</p>";
      return;
    }
    const predicted = chosen("predicted");
    let said = "";
    if (predicted !== "nothing") {
      predictions += 1;
      held += predicted === found.verdict;
      const outcome = predicted === found.verdict ? "and it is so" : `and it is ${found.verdict}`;
      said = `<p>You predicted ${predicted}, ${outcome}. Predictions that held: ${held} of ${predictions}.</p>`;
    }
    const note = found.note ? `<p>${found.note}</p>` : "";
    shown.innerHTML = said + note + pages[found.page];
  };

  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  show();
})();
