"""Shapes of the clustered store, as pairs of a half that older code can live with and a half that it cannot."""
