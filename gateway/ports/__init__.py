"""What the services need from the world, as promises. An engine keeps them; one behaviour suite checks each."""
