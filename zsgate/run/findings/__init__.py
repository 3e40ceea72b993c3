"""What a run finds: from the judgement of one test to the record of the whole, with what it ran on."""
