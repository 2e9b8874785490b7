"""Pure: what does one recipient get of a notice, and in which form?"""
