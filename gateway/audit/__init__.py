"""Pure: how does the exchange log prove what happened?"""
