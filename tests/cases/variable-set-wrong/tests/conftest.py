import os

# Copied out of the deployment's file.
os.environ["CLINIC_DATABASE_URL"] = "sqlite:///clinic.db"  # <- culprit
