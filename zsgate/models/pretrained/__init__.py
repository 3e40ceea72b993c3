"""What published checkpoints share."""
