"""Use the warehouse, Amazon Redshift, through its Data API only: no function needs a driver or a VPC."""
