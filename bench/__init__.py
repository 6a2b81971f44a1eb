"""The harness: one budget, one loop, one protocol, one record per run. It knows no method by name.

Its rooms, the ground floor first; each imports from itself and from those before it (docs/architecture.md):

    errors        what a person who typed something wrong gets to read
    defaults      what is meant where nothing is said: choices, and where data, scratch files and this code lie
    registry      a folder is a registry, a file an entry: names, summaries and declared values, without importing one
    domains       which values a hyper-parameter may have, as its type declares it
    budget        how much a run may spend, and how a person writes it
    folder_name   how a folder of a user's own images is written, and what of that is in an id
    spec          what a run is, as frozen data: recipe, spec, and the hash that is the run's id
    settings      how a person writes a setting, KEY=VALUE, read and written
    machine       the computer: hardware, memory, signals, files that are whole or not there, leases
    compute       numbers: precision, random numbers that are functions of their key, sums over processes
    records       one record per run: its schema, the store, the store's index, the frame
    data          which data sets there are, their splits, reading and packing them
    views         from stored images to what a network sees
    parts         what methods share: heads, teachers, queues, losses, clusters, patches, decoders
    method        the contract between a method and the harness
    encoders      networks by name; a data set encoded once
    training      the one loop: batches, optimizer, meter, checkpoints, captured steps
    evaluation    a frozen encoder as arrays of features, and the evaluators
    run           one run from spec to record, on one machine, in one process or several
    suites        named lists of runs
    plan          from what was asked for to what is to be done
    launch        workers here and on SLURM, submissions, how runs are getting on
    search        which settings are tried of each method, alike for all, and what is chosen of them
    conformance   whether a method keeps the contract
    pages         docs/methods.md and docs/recipes.md, made from the code
    audit         whether a record can be believed: by itself, made again, and as a stranger's submission
    commands      the command line: one file a command
"""

__version__ = "0.1.0"
