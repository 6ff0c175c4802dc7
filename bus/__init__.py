"""The message bus: topology, links, journal, the host loop of every actor, recovery. Knows schemas, nothing above."""
