"""Pure: who may see which part of a notice?"""
