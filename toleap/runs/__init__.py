"""Playing a run: its plan, its owner, the scheduler, attempts and their verdicts."""
