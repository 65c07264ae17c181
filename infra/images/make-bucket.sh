#!/bin/sh
# LocalStack runs this when it is up.
awslocal s3 mb s3://videos
