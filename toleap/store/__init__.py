"""What is kept of a run: a stream of records in one file, and what they say together.

``records`` says what there is to say, ``database`` is the file, ``state`` folds records into how a run stands,
``store`` appends them and ``writer`` is the one thread that commits; ``reading`` is for everybody else. ``salvage``
reads a torn file record by record, ``lock`` lets one process write, ``conduct`` counts what turns hold.
"""
