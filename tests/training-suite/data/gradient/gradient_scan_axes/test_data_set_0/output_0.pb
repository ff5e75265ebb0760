BlastJñ­Y¿[}Û=ý
®¾