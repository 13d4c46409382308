"""What samples: the protocol, and the engines that keep it."""
