"""What keeps the promises of the ports: the only place that touches the world."""
