"""toleap_train: from trajectories to a better model, by fine-tuning, merging and reinforcement learning.

The package is empty so far; it will import ``toleap``, never the reverse.
"""
