"""Journeys: plans followed to their end, from every case of the catalog and from starts that are made by seed."""
