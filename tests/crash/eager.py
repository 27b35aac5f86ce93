"""`stylesweep`, but for the clock: pictures are shown and states left many times a second, by runs of any length."""

from sweep import driver, pacing

for name in ("FIRST_PREVIEW_SECONDS", "PREVIEW_SECONDS", "CHECKPOINT_SECONDS"):
    setattr(pacing, name, 0.2)
pacing.LONG_SECONDS = 0.0
driver.PROGRESS_SECONDS = 0.1

if __name__ == "__main__":
    from sweep.cli.main import main

    main()
