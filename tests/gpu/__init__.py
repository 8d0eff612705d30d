"""What a GPU did, against the predictions; and the suite that runs on one."""
