"""Listed, copied to where a run is started: ``-p listed`` puts a dataset into the catalogue that a server here has."""

from __future__ import annotations

import os

from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card, File
from zsgate.data.catalogue.cards import CARDS
from zsgate.system import download

download.TIMEOUT = download.PATIENCE = 2.0  # a minute each, which a test need not wait
FILE = File(name="served.h5ad", url=os.environ["FAULT_URL"], sha256=os.environ.get("FAULT_SHA256"))
COLUMNS = Columns(label="cell_type", batch="sample", donor="donor")
CARDS["served"] = Card(name="served", files=(FILE,), columns=COLUMNS, source="", licence="", citation="")
