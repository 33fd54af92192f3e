"""The inventory: received events by name, with their outcomes and contents.

    counting.py   listens to the pipeline: counts each name and its outcomes in bounded memory, samples some of the
                  events, and writes the counts to the store, outside of requests
    app/pipeline/received_names.py  the stored form of a name
    figures.py    the figures of a name, and its changes
    app/pipeline/nearest_preset.py  the preset that matches a name, or nearly does
    drafts.py     the draft of a preset for a name without a preset
    view.py       the combined view for page, interface and command

Names and types of values are stored, never values.
"""
