"""One module for each verb of `mobileone`."""
