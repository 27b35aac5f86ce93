"""Style transfer itself: pictures in, a picture out. Knows nothing of sweeps, databases or Ray."""
