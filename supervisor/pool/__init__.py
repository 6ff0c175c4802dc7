"""What the commands `pool` and `kpi` compute: the pool read, checked, drawn, copied; the figures of its epochs."""
