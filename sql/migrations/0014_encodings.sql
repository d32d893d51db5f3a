-- Columns of few different values are BYTEDICT, VARCHAR included: Redshift compares them as they are packed. 0001 says
-- otherwise of VARCHAR, as the documentation once did (docs.aws.amazon.com/redshift/latest/dg/,
-- c_Byte_dictionary_encoding.html). The table can be asked meanwhile. Redshift runs this in no transaction.
ALTER TABLE disaster.disaster_tweets
ALTER COLUMN disaster_label ENCODE BYTEDICT,
ALTER COLUMN relevance_label ENCODE BYTEDICT,
ALTER COLUMN lang ENCODE BYTEDICT,
ALTER COLUMN classifier_version ENCODE BYTEDICT,
ALTER COLUMN source ENCODE BYTEDICT;
