"""Whose yes counts, for what, until when: consent records, authority by age and guardianship, conflicts of interest."""
