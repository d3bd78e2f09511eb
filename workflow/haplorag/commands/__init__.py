"""The command `haplorag`: what its commands take, do and say."""
