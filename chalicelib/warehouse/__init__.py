"""The warehouse: Amazon Redshift, reached through its Data API alone, so no function needs a driver or a VPC."""
