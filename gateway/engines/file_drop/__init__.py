"""Files on the agency's side: notices dropped into a folder, releases fetched into one."""
