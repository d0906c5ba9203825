# lr, batch (2) and 30,000 iterations: the paper. Momentum, decay, warm-up and steps: MMDetection's
# 1x schedule, whose steps at 8/12 and 11/12 of the training become 20,000 and 27,500.
max_iters = 30000
val_interval = 1000
lr = 0.0025

train_cfg = dict(type="ResumableIterLoop", max_iters=max_iters, val_interval=val_interval)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=lr, momentum=0.9, weight_decay=0.0001),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type="MultiStepLR",
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[20000, 27500],
        gamma=0.1,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=2)
