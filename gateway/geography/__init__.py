"""Pure: which division is where, and which office is competent?"""
