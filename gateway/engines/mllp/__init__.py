"""HL7 v2 over MLLP on the agency's side: frames, acknowledgements, listener."""
