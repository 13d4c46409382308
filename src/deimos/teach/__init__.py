"""Teaching tags: verified texts become thoughts, with the model's own answers behind them."""
