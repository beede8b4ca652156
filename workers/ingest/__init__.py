"""Documents of the contract that a host hands over as lines of JSON: checked one by one, written in batches. Nothing else
of Daybook's writes what a host product fills."""

from workers.ingest.ingest import Ingested, MayNotWrite, Refusal, ingest

__all__ = ["Ingested", "MayNotWrite", "Refusal", "ingest"]
