"""Decoding arms over problems and what is measured of them: what bench, sweep, route and export stand on."""
