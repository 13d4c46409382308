"""Training a LoRA adapter on golds: the ids that were sampled, and nothing else."""
