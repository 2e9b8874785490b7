"""Pure: which state may a delivery go to next, and when is it tried again?"""
