"""The inventory: what arrives, by the name that it arrives under, what becomes of it, and what it carries.

    counting.py   listens to the pipeline: counts each name and its outcomes in bounded memory, looks into some of the
                  events, and writes the counts to the store, off the path of requests
    app/pipeline/received_names.py  how a name is kept, and read
    figures.py    what is known of a name, and what of it is new or gone
    app/pipeline/nearest_preset.py  which preset takes a name, or nearly does
    drafts.py     the draft of a preset for a name that none takes
    view.py       all of it, as page, interface and command show it

Names and kinds of values are kept, never values.
"""
