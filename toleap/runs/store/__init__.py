"""What is kept of a run: its database, and what holds when that is torn.

``store`` writes and ``reading`` reads; ``writer`` is the one thread that commits, ``codec`` packs turns, ``results``
makes of rows what a report needs, ``conduct`` counts what turns hold. ``seals``, ``healing`` and ``salvage`` find
damage and make it good; ``lock`` lets one process write.
"""
