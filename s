Kiln, 2 seed2:
