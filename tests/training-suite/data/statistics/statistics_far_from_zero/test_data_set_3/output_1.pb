Bnew_meanJQ`
BŸ
B‚W
B