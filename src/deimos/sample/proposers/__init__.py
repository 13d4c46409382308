"""How candidates come about: asked in other words, shown examples, or made of one that passed."""
