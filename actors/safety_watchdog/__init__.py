"""The safety-watchdog: reads the sensors while a trial runs, and ends it when a cap is breached."""
