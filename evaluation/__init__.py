"""How good it is: figures on recordings with known answers. Each file is a command."""
