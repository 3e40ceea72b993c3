"""The datasets zsgate knows."""
