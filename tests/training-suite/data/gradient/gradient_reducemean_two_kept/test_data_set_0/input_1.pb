B
upstream_yJ2Få?êºø(Ùh?