"""Pure: what does a set of consent records permit?"""
