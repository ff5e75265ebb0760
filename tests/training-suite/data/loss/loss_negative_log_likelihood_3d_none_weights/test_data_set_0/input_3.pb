Bupstream_lossJ¿נµ¿„°¿ר
”¿ער­¿›*?¥c‰?