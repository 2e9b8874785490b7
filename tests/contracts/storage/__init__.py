"""What every storage engine must do, said once a port, and run by each engine through `every_suite`."""
