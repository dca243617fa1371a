"""Settings: `base` for all, then `dev` (embedded defaults), `production` (everything explicit) and `test`."""
