"""Run notebooks on the workers of a Dask cluster, each in a process of its own there, with this kit's code.

    submit.py     this machine: sends each notebook as a task, hears its progress, writes what comes back
    wheel.py      this machine: the code of the kit as a wheel
    on_worker.py  a worker: unpacks the wheel and starts the process; uses nothing of the kit
    job.py        that process: runs the notebook as a local run would, with a pair of its own
"""
